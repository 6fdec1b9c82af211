"""One module per command of ``winback``; each is imported only when its command is called."""
