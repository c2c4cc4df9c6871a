"""What the product knows of Taiwan's Chinese: characters, lanes, varieties, lexicons, n-grams."""
