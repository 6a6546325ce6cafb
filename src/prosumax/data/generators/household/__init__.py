"""Bottom-up household load model: residents, appliances, hot water and trips."""
