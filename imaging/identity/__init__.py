"""Who an image belongs to: kept apart, cleaned away, covered up."""
