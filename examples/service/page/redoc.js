// Starts ReDoc on the description beside it.
Redoc.init("openapi.json", {}, document.getElementById("redoc"));
