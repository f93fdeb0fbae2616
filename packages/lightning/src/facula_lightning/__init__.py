"""A trainer with Lightning's API, on facula."""
