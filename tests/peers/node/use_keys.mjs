// Signs, encrypts and wraps with the published client.

import { createHash, randomBytes } from "node:crypto";

import { DefaultAzureCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";

import { assign, getToken } from "./access.mjs";

const url = process.env.AZURE_MANAGEDHSM_URL;
const credential = new DefaultAzureCredential();
const client = new KeyClient(url, credential);
await assign(url, await getToken(), {
  name: "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01",
  roleName: "Managed HSM Crypto User",
  principalId: process.env.EMULATOR_ADMIN_OBJECT_ID,
});

const text = Buffer.from("a text");
const digest = createHash("sha256").update(text).digest();
const said = {};

for (const [name, kind, algorithm] of [["ec", "EC-HSM", "ES256"], ["rsa", "RSA-HSM", "PS256"]]) {
  const cryptography = new CryptographyClient(await client.createKey(name, kind), credential);
  const { result } = await cryptography.sign(algorithm, digest);
  const right = await cryptography.verify(algorithm, digest, result);
  const wrong = await cryptography.verify(algorithm, createHash("sha256").digest(), result);
  said[algorithm] = [result.length, right.result, wrong.result];
}

const rsa = new CryptographyClient(await client.getKey("rsa"), credential);
const closed = await rsa.encrypt({ algorithm: "RSA-OAEP-256", plaintext: text });
const opened = await rsa.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: closed.result });
said.rsa = Buffer.from(opened.result).toString();

const aes = new CryptographyClient(await client.createKey("aes", "oct-HSM", { keySize: 256 }), credential);
const sealed = await aes.encrypt({ algorithm: "A256GCM", plaintext: text, additionalAuthenticatedData: digest });
const unsealed = await aes.decrypt({
  algorithm: "A256GCM",
  ciphertext: sealed.result,
  iv: sealed.iv,
  authenticationTag: sealed.authenticationTag,
  additionalAuthenticatedData: digest,
});
said.aes = [sealed.iv.length, sealed.authenticationTag.length, Buffer.from(unsealed.result).toString()];

const key = randomBytes(32);
for (const [cryptography, algorithm] of [[aes, "A256KW"], [rsa, "RSA-OAEP"]]) {
  const wrapped = await cryptography.wrapKey(algorithm, key);
  const unwrapped = await cryptography.unwrapKey(algorithm, wrapped.result);
  said[algorithm] = [wrapped.result.length, key.equals(Buffer.from(unwrapped.result))];
}
console.log(JSON.stringify(said));
