"""What people look at: metrics, pages and the file that shows them."""
