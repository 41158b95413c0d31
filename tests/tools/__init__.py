"""What tests and make share: reading our own sources, finding tools, setting up a machine."""
