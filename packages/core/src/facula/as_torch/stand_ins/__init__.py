"""What the surroundings of PyTorch ask for and an eager library answers without doing anything."""
