"""What runs in the process of a process worker. Nothing else imports it."""
