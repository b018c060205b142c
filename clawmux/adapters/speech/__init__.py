"""Speech as a service: engines, the endpoints that serve them, and the client that calls them."""
