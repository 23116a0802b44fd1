"""What a client asks of a service, by resource, as the service's routes are."""
