"""How long the scores take beside one SVD, and what published numbers they are held to."""
