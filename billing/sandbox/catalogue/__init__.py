"""What is sold at the sandbox: products, prices, features, coupons and promotion codes."""
