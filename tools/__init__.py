"""Expert tools and the runtime that runs them."""
