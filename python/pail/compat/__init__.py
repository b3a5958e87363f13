"""Other libraries' names for Pail."""
