"""What outlasts a request or a process: database, backups, certificates, security domain, files, the clock."""
