"""Nerves and vessels in regional-anaesthesia ultrasound: areas."""
