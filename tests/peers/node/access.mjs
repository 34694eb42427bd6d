// Local RBAC with nothing but fetch, in the forms of URLs that JavaScript clients send.

const API_VERSION = "7.6";

export async function getToken() {
  const url = `${process.env.IDENTITY_ENDPOINT}?api-version=2019-08-01&resource=https%3A%2F%2Fmanagedhsm.azure.net`;
  const response = await fetch(url, { headers: { "X-IDENTITY-HEADER": process.env.IDENTITY_HEADER } });
  return (await response.json()).access_token;
}

export async function send(base, method, path, { token, body } = {}) {
  const headers = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  return fetch(`${base}${path}?api-version=${API_VERSION}`, { method, headers, body: body && JSON.stringify(body) });
}

export async function assign(base, token, { name, roleName, principalId, scope = "/" }) {
  const definitions = await send(base, "GET", "///providers/Microsoft.Authorization/roleDefinitions", { token });
  const role = (await definitions.json()).value.find((each) => each.properties.roleName === roleName);
  const path = `/${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
  return send(base, "PUT", path, { token, body: { properties: { roleDefinitionId: role.id, principalId } } });
}
