"""What vendors released for which product: the document people load, and the catalog that decisions look things up in.

`document` reads and checks a file, `model` answers questions; neither does I/O. Facts only, no vendor's text.
"""
