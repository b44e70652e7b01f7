"""White cells and platelets on a stained blood smear, with red cells as far as they are drawn."""
