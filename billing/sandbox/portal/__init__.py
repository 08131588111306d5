"""The billing portal: a page where customers see invoices, change their card, leave or switch."""
