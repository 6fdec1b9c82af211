"""Purchase-interval and engagement features, built from orders, events and contacts."""
