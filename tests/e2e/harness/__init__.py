"""What the end-to-end tests are made of: daemons, origins, raw peers."""
