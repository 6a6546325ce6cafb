"""Charts of local trade: prices, volumes, partners, payments and pricing levels."""
