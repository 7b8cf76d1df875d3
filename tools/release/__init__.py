"""Build and check a release: wheel, mip packages, images, install page."""
