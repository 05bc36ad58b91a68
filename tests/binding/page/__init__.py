"""What the project of the documentation's page on data binding has besides the page's own files."""
