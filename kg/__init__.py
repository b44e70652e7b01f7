"""Knowledge graph: authored core, linking and reasoning."""
