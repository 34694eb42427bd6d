"""A request's way from the socket to a handler and back: middlewares, routes, bodies, responses, injected faults."""
