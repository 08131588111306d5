"""What all pages share: rendering, styles, forms, languages. No script runs in any of them."""
