"""What the system tests are built from: scripted servers around the daemon, real programs, and readers of their output."""
