"""Collections of a live server. Its modules need the client that `make mongodb` installs."""
