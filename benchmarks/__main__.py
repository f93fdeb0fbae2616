"""Run the benchmarks that need no data."""

from benchmarks.eager_calls import main

main()
