"""Write generated parts of the documents and take the pictures of the page."""
