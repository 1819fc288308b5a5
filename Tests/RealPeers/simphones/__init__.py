"""Phones for tests, each as its vendor makes them. The readers take a configuration file the way the vendor's firmware
is known to; they share nothing with what writes the files."""
