"""Pictures are decoded in processes of their own: a file can crash, hang or fill those alone."""
