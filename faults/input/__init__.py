"""Bad input at scale: what nobody should send, at every door of the running product and at every decoder."""
