"""The parts a daemon needs around it, each scripted and recorded by the test."""
