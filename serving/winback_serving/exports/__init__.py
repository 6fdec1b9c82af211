"""What the tools of others read: cells, formats, changes since an earlier run, bounce exposure, files."""
