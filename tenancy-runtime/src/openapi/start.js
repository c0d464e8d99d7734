"use strict";
const root = document.getElementById("openapi");
SwaggerUIBundle({
  domNode: root,
  url: root.dataset.document,
  deepLinking: true,
  // Tenants' pages may be of the same origin: what is typed in here is gone with the page.
  persistAuthorization: false,
  tryItOutEnabled: true,
  // Elsewhere than at home it would send the document to a service of Swagger's.
  validatorUrl: null,
});
