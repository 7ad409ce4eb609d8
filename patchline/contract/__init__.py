"""`patchline contract`: the published contract as one page that needs nothing but a browser, and its files beside it.

`fields` reads schemas into rows, `view` puts together what the page shows, `page` renders and writes it, `serving`
shows it on this machine, `commands` is what people type.
"""
