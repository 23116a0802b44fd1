"""The method of activation atlases: numbers and pictures, without web or queue."""
