"""Who may do what: keys, tokens, sessions, scopes, limits, and the log of what was done."""
