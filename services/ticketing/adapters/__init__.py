"""The trackers that tickets are raised in: `tracker` says what one must be able to do, each other module is one."""
