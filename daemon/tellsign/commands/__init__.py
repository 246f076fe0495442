"""What the commands of the command line do, a file for each that is more than a few lines."""
