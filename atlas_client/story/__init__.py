"""A story: one page that tells what an atlas shows, its figures and numbers read from the atlas itself."""
