"""An atlas service for agents: what can be read of it, as tools of the Model Context Protocol."""
