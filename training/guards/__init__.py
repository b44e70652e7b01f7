"""Recipe of the view, population and frontal-film guards."""
