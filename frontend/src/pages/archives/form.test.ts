import { expect, it } from "vitest";
import { addressError, networksOf } from "./form";

it.each(["https://pacs.example.org/dicom-web", "http://127.0.0.1:8042/dicom-web/"])(
  "%s is an address",
  (text) => expect(addressError(text)).toBeNull(),
);
it.each(["", "pacs.example.org", "ftp://pacs", "https://pa cs"])("%j is none", (text) =>
  expect(addressError(text)).not.toBeNull(),
);

it("reads networks with commas or line by line", () => {
  expect(networksOf("10.0.0.0/8, 192.168.1.0/24\n127.0.0.1/32")).toEqual([
    "10.0.0.0/8",
    "192.168.1.0/24",
    "127.0.0.1/32",
  ]);
  expect(networksOf(" ")).toEqual([]);
});
