"""Pictures for people: overlays, thumbnails, slices, montages."""
