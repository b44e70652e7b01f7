"""Image actions: crop and zoom."""
