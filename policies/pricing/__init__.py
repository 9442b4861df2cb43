"""What declared resources cost: pure functions of resources, a table of prices, and assumptions."""
