"use strict";
const root = document.getElementById("openapi");
SwaggerUIBundle({
  domNode: root,
  url: root.dataset.document,
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // Elsewhere than at home it would send the document to a service of Swagger's.
  validatorUrl: null,
});
